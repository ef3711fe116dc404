"""From a deployed version to an answer: what the runtime calls, and later batch jobs, ask.

`deployments` finds and loads, `deployment` knows one version and its users, `answer` puts an answer together;
the others each do one thing for them. Nothing here imports torch or speaks SQL.
"""
