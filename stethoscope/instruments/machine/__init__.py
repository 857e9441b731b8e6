"""What a process and its machine use, and what they may use at most.

process   this process
system    the machine, and how much is used of what the service may use
cgroups   what a control group allows
growth    counters of the kernel, followed in ours
"""
