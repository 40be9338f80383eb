"""The pure core: profiles, features and the clusterer, as functions of columns and time.

No Kafka, clock, file or metric is imported here; time is always an argument.
"""
