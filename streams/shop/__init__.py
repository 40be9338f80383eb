"""Shops to try the product on: published data sets as records of the input topics, and a simulated shop.

Here lives what such data *means* as events. Nothing here talks to Kafka, and nothing here decides anything
about a customer: the commands `produce`, `simulate`, `demo` and `replay` take the records from here and hand
them on.
"""
