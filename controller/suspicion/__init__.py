"""Who is suspicious, why and until when: evidence, scores, decisions. Pure; time is a parameter."""
