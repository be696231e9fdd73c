"""The dialogue of one session: commands and replies of both connections, and the order between them."""
