"""Where the checkout is, and the contract that ships with it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTRACT_TOML = ROOT / "contract.toml"
