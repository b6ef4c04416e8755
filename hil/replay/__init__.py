"""A recorded log against a device: its frames of the rest of the bus are fed, what the device answers is judged.

survey    one pass over the log: does it fit the network, how long is it, when was the supply on
feed      the frames, at their times, to any device; what it answers, as a trace without a truth
expect    which events a log's name promises, and whether they came
judged    a scenario's expectations, as far as the wire can tell
compare   where the device behaves unlike the one that was recorded
case      one log from its file to its findings
folder    what is left of a replay: page, JUnit XML, results, frames
"""
