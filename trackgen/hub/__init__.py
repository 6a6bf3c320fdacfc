"""Hubs: the tracks of one or more runs, dressed for genome browsers.

One `Hub` model, made from run folders, and one renderer per browser. The role of a track decides how it is drawn.
"""

from trackgen.hub.build import HubReport, build_hub
from trackgen.hub.model import Hub, HubGenome, HubTrack, Limits

__all__ = ["Hub", "HubGenome", "HubReport", "HubTrack", "Limits", "build_hub"]
