"""Pipelines of a stage at once, and entities five at a time."""

from concurrent.futures import ThreadPoolExecutor


def run(pipelines):
    """Runs all pipelines of a stage, and waits for them; the first failure ends it."""
    if not pipelines:
        return
    with ThreadPoolExecutor(len(pipelines)) as pool:
        for done in [pool.submit(pipeline) for pipeline in pipelines]:
            done.result()


def migrate(entities):
    """Migrates entities, and those that come of them; returns all."""
    everything = []
    with ThreadPoolExecutor(5) as pool:
        while entities:
            everything += entities
            entities = [entity for found in pool.map(lambda entity: entity.migrate(), entities) for entity in found]
    return everything
