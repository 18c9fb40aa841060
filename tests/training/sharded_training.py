"""Stage 2 with its parameters sharded by FSDP2 over CPU processes, for `test_distributed`.

Accelerate shards only on GPUs, so this script shards by itself what Accelerate would, and
runs the same loop: gathering for checkpoints and results, and reading them back.
"""

from __future__ import annotations

import os
import sys

import torch
from torch import nn
from torch.distributed.fsdp import fully_shard

from training import stage2
from training.learning.loop import Epoch, _Loop
from training.learning.runtime import Runtime


class ShardedRuntime(Runtime):
    """Each decoder layer and the rest are units of FSDP2."""

    def prepare(
        self, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """As Accelerate does with `fsdp_version: 2` and its transformer-based wrapping."""
        names = {id(p): name for name, p in module.named_parameters()}
        groups = [[names[id(p)] for p in group["params"]] for group in optimizer.param_groups]
        for part in list(module.modules()):
            if type(part).__name__ == "LlamaDecoderLayer":
                fully_shard(part)
        fully_shard(module)
        sharded = dict(module.named_parameters())
        for group, own in zip(optimizer.param_groups, groups, strict=True):
            group["params"] = [sharded[name] for name in own]
        return module, optimizer


def killed_after_an_epoch(loop: _Loop, epoch: Epoch) -> None:
    """The last thing that is kept is the checkpoint of the last update."""
    loop.remember()
    print("killed", file=sys.stderr, flush=True)
    os._exit(3)


if __name__ == "__main__":
    if os.environ.get("KILLED_BEFORE_DEV"):
        _Loop.finish = killed_after_an_epoch  # type: ignore[method-assign]
    stage2.Runtime = ShardedRuntime  # type: ignore[misc]
    sys.exit(stage2.main())
