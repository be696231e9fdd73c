"""When ClamAV's feature releases end. Source: endoflife.date, "ClamAV"."""

import re
from datetime import date

_ENDS = {
    "0.100": date(2021, 10, 29),
    "0.101": date(2022, 1, 3),
    "0.102": date(2022, 1, 3),
    "0.103": date(2024, 9, 14),
    "0.104": date(2023, 3, 28),
    "0.105": date(2023, 9, 1),
    "1.0": date(2025, 11, 28),
    "1.1": date(2024, 6, 7),
    "1.2": date(2024, 12, 15),
    "1.3": date(2026, 2, 7),
    "1.4": date(2027, 8, 15),
}
_RELEASE = re.compile(r"ClamAV (\d+)\.(\d+)")
_OLDEST = (0, 100)


def end_of_life(engine: str, today: date) -> str:
    """Return a text if an engine's release is at its end of life, otherwise (or if unknown) an empty one."""
    found = _RELEASE.match(engine)
    if not found:
        return ""
    if (int(found[1]), int(found[2])) < _OLDEST:
        return f"ClamAV {found[1]}.{found[2]} reached its end of life long ago"
    ends = _ENDS.get(f"{found[1]}.{found[2]}")
    return f"ClamAV {found[1]}.{found[2]} reached its end of life on {ends}" if ends and ends <= today else ""
