"""select/task"""
