"""tune/align"""
