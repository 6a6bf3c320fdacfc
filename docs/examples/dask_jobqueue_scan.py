"""Scan on workers that dask-jobqueue submits to Slurm: python dask_jobqueue_scan.py"""

import dask
from dask_jobqueue import SLURMCluster

import trackgen
from trackgen.progress import for_stream


def main() -> None:
    # Jobs may wait in the queue: by itself a scan gives up after a minute without any worker.
    dask.config.set({"distributed.scheduler.no-workers-timeout": "2 days"})
    with SLURMCluster(cores=4, processes=1, memory="4GB", walltime="04:00:00") as cluster:
        cluster.adapt(minimum_jobs=8, maximum_jobs=8)  # a job that ends early is replaced
        result = trackgen.scan(
            "tss-yeast", "genome.fa", "tracks", cluster=cluster.scheduler_address, progress=for_stream()
        )
    print("\n".join(result.tracks))


if __name__ == "__main__":
    main()
