params.model = 'tss-yeast'
params.genome = 'genome.fa'
params.out = 'tracks'
params.shares = 8

process PLAN {
    output:
    val true

    script:
    """
    trackgen scan ${params.model} ${file(params.genome)} -o ${file(params.out)} --plan-only
    """
}

process SCAN {
    cpus 4
    errorStrategy 'retry'
    maxRetries 3

    input:
    val planned
    each share

    output:
    val share

    script:
    """
    export TRACKGEN_JOB=share-${share}
    trackgen scan ${params.model} ${file(params.genome)} -o ${file(params.out)} \\
        --shard ${share}/${params.shares} --threads ${task.cpus}
    """
}

process ASSEMBLE {
    cpus 4

    input:
    val shares

    script:
    """
    trackgen assemble ${file(params.out)} --threads ${task.cpus}
    """
}

workflow {
    PLAN()
    SCAN(PLAN.out, 1..params.shares)
    ASSEMBLE(SCAN.out.collect())
}
