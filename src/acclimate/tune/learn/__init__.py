"""tune/learn"""
