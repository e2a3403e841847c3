"""augment/mix"""
