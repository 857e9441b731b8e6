"""Database work, whatever library does it: statements, what requests do with them, and what is wrong with that.

instrument   one for each recorder: opens and closes the work of each request
database     one database: what is recorded of each operation
execution    what runs around an operation
query        statements, remembered within bounds
outline      what a statement is about, without its literals
work         what one request has done so far
detection    what was wrong with it, when it is over
ahead        relationships that it loaded and never looked at
pool         connections: waits, uses, leaks
starved      time without a processor, which is nobody's waiting
call_site    the line that a query comes from
comments     SQL comments that say for whom a statement is
plans        reading plans of slow queries
followed     all of it, of a request that is followed
tally        all queries of a test
"""
