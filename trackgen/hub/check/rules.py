"""The table of rules: a stable code, a level, what is wrong, and who says so. ``docs/hub-check.md`` is made from it.

Levels: an *error* keeps a browser from showing the hub or one of its tracks; a *warning* is what some browser does not
show, or shows otherwise; a *note* only tells.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ERROR", "LEVELS", "NOTE", "RULES", "WARNING", "Rule"]

ERROR, WARNING, NOTE = "error", "warning", "note"
LEVELS = (ERROR, WARNING, NOTE)
"""In the order of weight."""


@dataclass(frozen=True)
class Rule:
    """One rule. `code` never changes its meaning once released; `text` is a clause about what is wrong."""

    code: str
    level: str
    text: str


_TABLE = """
TEXT-BINARY error the file holds bytes that no text has
TEXT-HTML error an HTML page, not a file of a hub: an address that asks for a login or does not exist
TEXT-BOM error the file begins with a byte order mark, which becomes part of the first setting's name
TEXT-TOO-LARGE error the text is larger than any hub's
TEXT-ENCODING warning the text is not UTF-8; browsers show other letters
TEXT-LINE-ENDS warning lines end as on Windows; some readers keep the carriage return as part of the value
TEXT-TAB warning a tab stands between a setting and its value: igv.js looks for a space and loses the setting
TEXT-LONG-LINE warning a line of more than 65,536 bytes
INCLUDE-USED warning other files are included, which JBrowse does not follow
INCLUDE-LOOP error files include each other in a circle, or too deeply
HUB-FIRST error the first stanza does not begin with hub
HUB-KEY error the hub's stanza lacks a setting that UCSC requires
HUB-EMAIL warning the contact is no e-mail address
HUB-FORM error the hub's stanza has both genomesFile and useOneFile on
HUB-PAGE warning the hub has no description page (descriptionUrl)
GENOME-NONE error the hub has no genome
GENOME-ORDER error in the form of one file, the second stanza is not the genome; igv.js and IGV refuse the hub
GENOME-SEVERAL error several genomes in the form of one file
GENOME-TWICE error a genome stands twice
GENOME-KEY error the genome's stanza lacks a setting that is required
GENOME-SIZES warning an assembly hub without chromSizes, which JBrowse needs
GENOME-PAGE warning an assembly hub without a description page (htmlPath)
GENOME-UNKNOWN warning a genome without a sequence of its own (twoBitPath), by a name that no assembly of UCSC has
GENOME-TAKEN warning a sequence of the hub by the name of an assembly of UCSC that calls its chromosomes otherwise
GENOME-POSITION error the position to open at is malformed or not in the genome
GENOME-NAMES error the sequences of the 2bit file and of chrom.sizes differ
GENOME-SEQUENCE error a sequence has a name that browsers cannot handle
SIZES-FORM error a line of chrom.sizes is not a name and a length
GROUP-KEY error a group lacks a setting that is required
GROUP-UNKNOWN warning a track names a group that the genome does not have
TRACKS-NONE error a genome has no track
STANZA-FIRST error a stanza does not begin with the setting that says what it is
STANZA-JOINED error two stanzas without a blank line between them
SETTING-TWICE warning a setting stands twice in a stanza; browsers take the last one, or the first
SETTING-EMPTY warning a setting without a value
SETTING-UNKNOWN error no browser knows the setting; UCSC's own checker refuses it
SETTING-IGNORED warning a setting of a hub, genome or group that browsers do not know and pass over
SETTING-DEPRECATED warning a setting that UCSC has retired
SETTING-FORBIDDEN error a setting that UCSC does not allow in hubs
SETTING-MISPLACED note a setting that has no effect on a track of this type
VALUE-CHOICE error a value that is none of those the setting can have
VALUE-COLOR error a colour that is not three whole numbers from 0 to 255, with commas
VALUE-LIMITS error limits that are not two numbers, the lower one first, with a colon
VALUE-HEIGHT error heights that are not three whole numbers, the largest first, with colons
VALUE-NUMBER error a value that is no number, or out of its bounds
VALUE-FORM error a value that does not have the setting's form
TYPE-UNKNOWN error a type of track that hubs cannot hold
TYPE-FORM error the words after the type are not what it takes
TRACK-KEY error a track lacks a setting that is required
TRACK-NAME error a name that does not begin with a letter, or holds other characters than letters, digits, _ and -
TRACK-NAME-DOT warning a dot in a track's name, which UCSC advises against
TRACK-NAME-TWICE error two tracks have the same name, once characters that UCSC replaces are replaced
TRACK-PAGE warning neither the track nor a container of it has a description page (html)
LABEL-SHORT warning a short label of more than 17 characters, the rest of which UCSC cuts off
LABEL-LONG warning a long label of more than 80 characters
PARENT-UNKNOWN error a track's parent does not exist
PARENT-SELF error a track is its own parent
PARENT-LOOP error tracks are each other's parents
PARENT-NO-CONTAINER error a track's parent is neither a super track, composite, view nor container
PARENT-EMPTY error a container without tracks
CONTAINER-DATA error a container with data of its own (bigDataUrl)
CONTAINER-FEW error an overlay (container multiWig) of fewer than two tracks
CONTAINER-TYPE error an overlay of tracks that are not bigWig
VIEW-PARENT error a view that is not part of a composite
SUBGROUP-FORM error a list of groups or members that is malformed
SUBGROUP-LACKING error a subtrack that does not say to which member of each group it belongs
SUBGROUP-UNKNOWN error a group or member that the composite does not declare
FILE-MISSING error a file that the hub names is not there
FILE-UNREADABLE error a file that cannot be read
FILE-OUTSIDE error an address that leads out of the hub's folder
FILE-ABSOLUTE error a path that begins at the root of one machine
FILE-INDEX error the index of a file that cannot be read without one is not there
FILE-ELSEWHERE note a file on the network, which a check of a folder does not ask for
ADDRESS-FORM error an address that is malformed
ADDRESS-SCHEME error an address of a kind that no browser reads
ADDRESS-LIMITED warning an address of a kind that only some browsers read
ADDRESS-PRIVATE error an address that only one machine or one network reaches
ADDRESS-LETTERS error an address with #, ? or %, of which browsers take another name than the file has
ADDRESS-HTTP warning data by http: pages and hubs by https must not read it
DATA-MAGIC error the file is not what the track's type says
DATA-VERSION error a version of the file's format that browsers do not read
DATA-ZOOMS error a bigWig without zoom levels: IGV fails, others read all values to show a chromosome
DATA-EMPTY error the file holds no value
DATA-DAMAGED error the file is cut off or damaged
DATA-FIELDS error the file has fewer fields than the type promises
DATA-NAMES error data on sequences that the genome does not have
DATA-ALIAS warning data on chromosomes by names that UCSC's assembly does not use
DATA-LENGTHS error a sequence has another length in the data than in the genome
DATA-RANGE warning hardly any of the data lies between the limits at which the track is drawn
LOGO-TYPE error letters (logo on) of a track that is not bigWig
LOGO-DENSE warning letters (logo on) of a track that is shown dense, which hides them
LOGO-STACK warning stacked letters (aggregate stacked, logo on) of other than four tracks, for A, C, G and T
IGV-LIMITS warning fractional viewLimits without autoScale on (group does not do): igv.js cuts them to whole numbers
IGV-ALIAS warning a relative chromAlias, which IGV and igv.js do not resolve
IGV-CONTAINER-LABEL warning a container's long label of 50 characters or more, which igv.js does not show
IGV-ORDER warning a container that stands after its tracks, which IGV then does not find
JBROWSE-SUPERTRACK warning the old form, superTrack PARENT, which JBrowse drops
JBROWSE-ONE-FILE warning useOneFile and on are not parted by one space, the only text that JBrowse looks for
SERVER-DOWN error a server does not answer
SERVER-HEAD warning the server does not say that it has byte ranges
SERVER-RANGES error the server sends whole files where a range is asked for: no browser can read its data
SERVER-CONTENT-RANGE error an answer with a range that does not say which
SERVER-RANGE-BYTES error an answer that does not have the bytes that were asked for
SERVER-RANGE-END error a range past the end of a file is refused, not cut
SERVER-ENCODING error data sent compressed (Content-Encoding), which shifts every range
SERVER-CORS warning pages of other sites may not read the files: igv.js, JBrowse and WashU cannot show them
SERVER-PREFLIGHT warning pages of other sites may not ask for ranges
SERVER-EXPOSE warning pages of other sites may not see Content-Range
COMPANION-FORM error a browser's configuration that is not well formed
COMPANION-FILE error a browser's configuration names a file that is not there
COMPANION-ASSEMBLY error JBrowse's configuration has a track on an assembly that it does not declare
PAGE-LINK warning a page of the hub names a file that is not there
LEAK-PATH warning a path of the machine that the hub was made on
"""

RULES: dict[str, Rule] = {
    rule.code: rule for rule in (Rule(*line.split(maxsplit=2)) for line in _TABLE.strip().splitlines())
}
"""By code, in the order in which the documentation lists them."""
