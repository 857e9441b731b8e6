"""The waist of the package: recording in shared memory, and one merged view of it.

Producers hold a `recorder` and its `series`; consumers read a `snapshot`. From the bytes up:

    layout        what the bytes of a segment mean
    buckets       which value is counted where
    folder        a service's files, and their safety
    segment       writing one
    reader        reading one, without trusting it
    lease         who does what a service needs done once
    leftovers     folding the dead where nobody reads

  recording
    series        counters, gauges and histograms, as producers use them
    catalogue     which series there are, and how many there may be
    place         where a process records: its segment, notes and duties
    recorder      all of it, for one service
    notes         texts beside the numbers
    reporting     logging from under a lock
    housekeeper   the one thread of a recording process
    home          which folder a service has
    registry      which recorder an app has

  reading
    lanes, merge  adding up the counts of many workers
    distribution  a merged histogram, and its quantiles
    clock         one that nobody sets
    snapshot      what comes out
    totals        what ended workers have left
    gather        one snapshot from all of it
    history       snapshots of the past, for windows
    timeline      points of the last hour, for charts
    brief         notes that are listed again and again
    exemplars     observations with their traces
    view          all of that, of one service

  from beside, as the sidecar does
    discovery     which services there are
    watched       one of them
    deputy        recording in place of its workers

`lock`, `lazy`, `turns` and `forking` keep threads out of each other's way.
"""
