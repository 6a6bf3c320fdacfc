"""The settings that hubs know, as data: support level, value rule, the types that a setting is for, and names.

Levels as UCSC's specification of hub track databases (v3) gives them: what is ``required`` and ``base`` works in every
browser that reads hubs, ``full`` in those that follow UCSC, ``new`` perhaps at UCSC alone. A name that ends in a dot
stands for all names that begin so, ``filter.`` for ``filter.score``. Value rules are those of
`trackgen.hub.check.values`; ``a|b`` lists the words that a value can be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "DEPRECATED",
    "FORBIDDEN",
    "GENOME_SETTINGS",
    "GROUP_SETTINGS",
    "HUB_SETTINGS",
    "LEVEL_ORDER",
    "TRACK_SETTINGS",
    "Setting",
    "find_track_setting",
]

LEVEL_ORDER = ("required", "base", "full", "new")
"""From the setting that travels best to the one that travels least."""
DEPRECATED, FORBIDDEN = "deprecated", "forbidden"


@dataclass(frozen=True)
class Setting:
    """One row: see the module's text. No `types` means that the setting is for every type."""

    name: str
    level: str
    rule: str
    types: frozenset[str]


SIGNAL = "bigWig multiWig"
FILTER_TYPES = (
    "single|singleList|multiple|multipleListOr|multipleListAnd|multipleListOnlyOr|multipleListOnlyAnd|wildcard|regexp"
)
READS = "bam cram"
VARIANTS = "vcfTabix vcfPhasedTrio"

_TRACK = f"""
required name: track
required text: type shortLabel longLabel
required address: bigDataUrl
required hide|dense|squish|pack|full: visibility
base text: html parent group view defaultPos description organism scientificName orderKey
base color: color
base number: priority
base super: superTrack
base on|faceted: compositeTrack
base pairs: subGroups dimensions
base onoff: spectrum itemRgb
base colors: colorByStrand
base off|on|group for {SIGNAL} hic: autoScale
base height for {SIGNAL} bigInteract: maxHeightPixels
base limits for {SIGNAL}: viewLimits
full limits for {SIGNAL}: viewLimitsMax
full text: meta chromosomes dataVersion directUrl directUrl_for_hubs downloadUrl iframeUrl iframeOptions mouseOver
    mouseOverField origAssembly otherDb pennantIcon tableBrowser url urlLabel url_for_hubs urls skipFields sepFields
    release metaDb metaTab refUrl bamMergeMultiple denseCoverage scoreFilter scoreFilterLimits scoreLabel
    minGrayLevel noScoreFilter decorator searchIndex searchTable
    searchPriority searchType searchMethod searchDescription termRegex labelFields defaultLabelFields labelSeparator
    filter filter. filterBy filterLabel filterLabel. filterLimits. filterText filterText. filterValues filterValues.
    filterValuesDefault. parentFilter bedNameLabel itemImagePath itemBigImagePath itemDetailsHtmlTable nextExonText
    prevExonText squishyPackField squishyPackPoint chainColor baseColorUseSequence baseColorUseCds
    showDiffBasesAllScales speciesOrder speciesGroups speciesDefaultOff speciesDefaultOn speciesCodonDefault
    itemFirstCharCase irows treeImage frames summary otherSpecies dragAndDrop hideEmptySubtracksLabel
    filterComposite
full color: altColor
full onoff: boxedCfg configureByPopup darkerLabels skipEmptyFields indelDoubleInsert indelQueryInsert indelPolyA
    labelOnFeature exonArrows exonArrowsDense exonNumbers scoreFilterByRange thickDrawItem filterByRange.
    mergeSpannedItems doMergeItems linkIdInName allButtonPair centerLabelsDense hideEmptySubtracks viewUi
    configurable
full address: multiRegionsBedUrl bigDataIndex bigDataUrl2 searchTrix linkDataUrl hideEmptySubtracksMultiBedUrl
    hideEmptySubtracksSourcesUrl
new dense|squish|pack|full: onlyVisibility
new address: otherTwoBitUrl metaDataUrl colorSettingsUrl
full strand|gray|tag|off for {READS}: bamColorMode
full aliQual|baseQual|unpaired for {READS}: bamGrayMode
full pair for {READS}: aliQualRange baseQualRange
full text for {READS}: bamColorTag noColorTag bamSkipPrintQualScore
full integer for {READS}: minAliQual pairSearchRange
full dot for {READS}: pairEndsByName
full onoff for {READS}: showNames doWiggle
full text for bigBarChart: barChartBars barChartColors barChartLabel barChartSizeWindows barChartMetric barChartUnit
full small|medium|large for bigBarChart: barChartMaxSize
new onoff for bigBarChart: barChartStretchToItem barChartMerge
new text for bigBarChart: barChartFacets singleCellColumnNames
full address for bigBarChart: barChartMatrixUrl barChartCategoryUrl barChartSampleUrl
new address for bigBarChart: barChartStatsUrl
new number for bigBarChart: barChartBarMinPadding barChartBarMinWidth
full number: maxLimit pairwiseHeight
new text: colorFields detailsStaticTable detailsDynamicTable detailsScript. style decorator. highlight. highlightBy
    highlightColor highlightLabel. highlightLimits. highlightText. highlightType. highlightValues.
    highlightValuesDefault. showCdsAllScales speciesLabels logoMaf primaryKey dataTypes defaultSortField
    subtrackUrls
new onoff: denseClick highlightByRange. logo
full integer: scoreMax scoreMin maxItems maxWindowCoverage maxWindowToDraw showTopScorers intronGap showSnpWidth
new number: filterPriority. highlightPriority. showDiffBasesMaxZoom showCdsMaxZoom
full {FILTER_TYPES}: filterType.
full yes|no: chainNormScoreAvailable
full diffBases|diffCodons|itemBases|itemCodons|genomicCodons|none: baseColorDefault
full lighterShade|contrastingColor: baseColorTickColor
full text for bigInteract: interactDirectional interactMultiRegion endsVisible
full true|false for bigInteract: interactUp
new true|false for bigInteract: detailsBoxesEnabled
full text for {SIGNAL}: mouseOverFunction gridDefault wigColorBy
full onoff for {SIGNAL}: alwaysZero negateValues yLineOnOff
full points|bar for {SIGNAL}: graphTypeDefault
full integer for {SIGNAL}: maxWindowToQuery
full address for {SIGNAL}: setColorWith
full smoothing for {SIGNAL}: smoothingWindow
full NONE|LOG for {SIGNAL}: transformFunc
full mean|mean+whiskers|maximum|minimum for {SIGNAL}: windowingFunction
full number for {SIGNAL}: yLineMark
full onoff for bigLolly: lollyNoStems
full text for bigLolly: noStems lollyField lollySizeField lollyMaxSize yAxisLabel yAxisLabel. yAxisNumLabels
    yAxisNumLabels.
full triangle|square|arc for hic: drawMode
full text for hic: normalization resolution
full number for hic: saturationScore
new integer for hic: hicDistanceMin hicDistanceMax hicArcLimit
new true|false for hic: hicArcLimitEnabled
full true|false for {VARIANTS}: hapClusterEnabled applyMinQual
full text for {VARIANTS}: hapClusterMethod geneTrack vcfChildSample vcfParentSamples
full altOnly|function|refAlt|base for {VARIANTS}: hapClusterColorBy
full triangle|rectangle for {VARIANTS}: hapClusterTreeAngle
full integer for {VARIANTS}: hapClusterHeight
new address for {VARIANTS}: sampleColorFile sampleMetadataFile
new onoff for {VARIANTS}: showHardyWeinberg vcfDoMinAc
full number for {VARIANTS}: minQual minFreq
new integer for {VARIANTS}: minAc
full onoff for {VARIANTS}: vcfDoFilter vcfDoQual vcfDoMaf vcfUseAltSampleNames
new noColor|function|deNovo|mendelDiff for {VARIANTS}: vcfPhasedColorBy
full pairs: sortOrder
new integer: maxCheckboxes
full multiWig: container
full transparentOverlay|stacked|solidOverlay|none for multiWig: aggregate
full onoff for multiWig: showSubtrackColorOnUi
deprecated text: canPack extraDetailsTable extraTableFields pslSequence metadata noInherit useScore subTrack
forbidden text: idInUrlSql
"""

_HUB = """
required name: hub
required text: shortLabel longLabel email
base address: genomesFile descriptionUrl
base on: useOneFile
base text: version
"""

_GENOME = """
required text: genome
base address: trackDb twoBitPath chromSizes chromAlias chromAliasBb groups htmlPath
full address: twoBitBptUrl twoBitBptURL liftOver.
base text: chromAuthority description organism scientificName defaultPos blat transBlat isPcr taxId sourceName
new text: codonTable quickLiftDb
base number: orderKey
full text: metaDb metaTab bbiFile assmVersion ncbiAssmName ncbiAssmId
new address: quickLiftUrl
"""

_GROUP = """
required text: name label
base number: priority
base 0|1: defaultIsClosed
"""

FAMILIES = re.compile(
    r"subGroup[1-9]|dimension[A-Z]checked|sGroup_\w+|s[Gg]roup\d*"
    r"|[A-Za-z]\w*Filter(Limits|ByRange|Range|Text|Type|Values)?"
)
"""Names with a number, a clade or a column in them."""


def _rows(table: str) -> dict[str, Setting]:
    rows = {}
    for line in table.replace("\n    ", " ").strip().splitlines():
        head, _, names = line.partition(": ")
        kind, _, types = head.partition(" for ")
        level, rule = kind.split()
        rows.update({name: Setting(name, level, rule, frozenset(types.split())) for name in names.split()})
    return rows


TRACK_SETTINGS = _rows(_TRACK)
HUB_SETTINGS = _rows(_HUB)
GENOME_SETTINGS = _rows(_GENOME)
GROUP_SETTINGS = _rows(_GROUP)


def find_track_setting(name: str) -> Setting | None:
    """The row of a track's setting, also of one of a family; None where no browser knows it."""
    if name in TRACK_SETTINGS:
        return TRACK_SETTINGS[name]
    prefix, dot, rest = name.partition(".")
    if dot and rest and prefix + dot in TRACK_SETTINGS:
        return TRACK_SETTINGS[prefix + dot]
    if name.startswith("subGroup") and FAMILIES.fullmatch(name):
        return Setting(name, "base", "subgroup", frozenset())
    if FAMILIES.fullmatch(name):
        return Setting(name, "full", "text", frozenset())
    return None
