"""Bytes to columns and back: the one place where a wire format is spoken.

Here live the formats: input events, dead letters, change records, profile rows, models. No Kafka client, no
clock and no state of customers lives here; every byte from outside is parsed by a schema, and decoding never
raises. The engine calls it on the way in and on the way out, tools call it to read what the engine wrote.
"""
