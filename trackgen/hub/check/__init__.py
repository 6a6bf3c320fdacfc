"""The linter of hubs: settings, parents, files, what is inside them, browsers' quirks, and the server.

It reads hubs of any maker, in a folder or on a server, and needs no other program. Rules: `trackgen.hub.check.rules`.
"""

from trackgen.hub.check.checking import HubCheck, check_hub
from trackgen.hub.check.findings import Finding, Place
from trackgen.hub.check.report import report_json, report_text
from trackgen.hub.check.rules import RULES, Rule

__all__ = ["RULES", "Finding", "HubCheck", "Place", "Rule", "check_hub", "report_json", "report_text"]
