"""select/importance"""
