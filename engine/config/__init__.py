"""config.yaml: its values, how they are read, and how they are shown without their secrets."""

from engine.config.delivery import DELIVERY
from engine.config.reading import CONFIG, read_config
from engine.config.showing import MASK, show
from engine.config.values import (
    ApiKey,
    ApiScope,
    Cap,
    ChannelConfig,
    Config,
    Delivery,
    EventContract,
    Organisation,
    PrefectConfig,
    QuietHours,
    Rate,
    Topic,
    Web,
    Webhooks,
    WriteKey,
)

__all__ = [
    "CONFIG",
    "DELIVERY",
    "MASK",
    "ApiKey",
    "ApiScope",
    "Cap",
    "ChannelConfig",
    "Config",
    "Delivery",
    "EventContract",
    "Organisation",
    "PrefectConfig",
    "QuietHours",
    "Rate",
    "Topic",
    "Web",
    "Webhooks",
    "WriteKey",
    "read_config",
    "show",
]
