"""config.yaml: its values, how they are read, and how they are shown without their secrets."""

from engine.config.reading import CONFIG, read_config
from engine.config.showing import MASK, show
from engine.config.values import (
    ChannelConfig,
    Config,
    EventContract,
    Organisation,
    PrefectConfig,
    Rate,
    Topic,
    Web,
    WriteKey,
)

__all__ = [
    "CONFIG",
    "MASK",
    "ChannelConfig",
    "Config",
    "EventContract",
    "Organisation",
    "PrefectConfig",
    "Rate",
    "Topic",
    "Web",
    "WriteKey",
    "read_config",
    "show",
]
