"""Answers of a pushed model for files of any size, through Beam's RunInference on any of its runners.

A driver lists the inputs and cuts them into works; a worker reads its works, asks the model batch by batch and writes
the answers to part files; the driver joins these in the order of the inputs. No value of an input or an answer goes
through a shuffle, which a local runner would hold in memory.
"""
