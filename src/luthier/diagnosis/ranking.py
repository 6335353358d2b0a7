"""Which finding comes first: causes before what they bring about, grave before slight."""

from collections.abc import Iterable

from luthier.diagnosis.finding import Finding

# Each explains those beside it, which then come after it whatever their severity.
EXPLAINS: dict[str, tuple[str, ...]] = {
    cause: tuple(effects.split())
    for cause, effects in {
        "D39": "D21 D23 D19 D20 D18 D08 D02 D11 D10 D31 D06 D07 D52 D33 D12 D01",
        "D22": "D23 D21 D20 D19 D18 D10 D11 D02 D31 D06 D08 D07 D52 D12 D01 D33",
        "D23": "D11 D10 D07 D18 D31 D21 D52 D06 D08 D02",
        "D45": "D18 D20 D21 D31 D30 D02 D10 D11 D03 D08 D06 D12 D52 D16 D29 D28 D19 D04",
        "D24": "D11 D10 D07 D18 D52",
        "D26": "D25 D08 D02 D11 D10 D07 D18 D31 D52 D20 D23 D16",
        "D25": "D08 D02 D11 D10 D18 D07 D31 D52 D20",
        "D20": "D18 D10 D11 D31 D07 D52 D24 D25",
        "D21": "D18 D10 D11 D31 D07 D52",
        "D18": "D07 D10 D11 D31 D52",
        "D05": "D07 D11 D10 D52",
        "D07": "D10 D11 D31 D52 D16",
        "D08": "D02 D20 D21 D10 D11 D31 D19 D03 D18 D52 D06 D01 D12 D16",
        "D19": "D02 D03 D06 D10",
        "D01": "D02 D19 D03 D10 D11 D31 D18 D12 D52 D06",
        "D02": "D10 D11 D31 D12 D20 D52 D03 D06 D19",
        "D46": "D11 D07 D10",
        "D29": "D16 D12 D03 D15 D02 D28 D52",
        "D17": "D16 D12",
        "D52": "D12 D10 D11 D16 D31 D28",
        "D30": "D31 D10 D11 D52",
        "D10": "D11 D31",
        "D12": "D28",
    }.items()
}

# These act at once: what was there before them has another cause.
AT_ONCE = ("D20", "D21")


def rank(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Alarms before notes; among alarms, what another one explains comes later."""
    found = list(findings)
    alarms = {f.id: f for f in found if f.is_alarm}
    explained = {
        id
        for cause in alarms
        for id in EXPLAINS.get(cause, ())
        if id in alarms and not (cause in AT_ONCE and alarms[cause].onset > alarms[id].onset)
    }
    return tuple(
        sorted(
            found,
            key=lambda f: (not f.is_alarm, f.id in explained, -f.severity, -f.confidence, f.onset),
        )
    )
