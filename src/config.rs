//! Configuration: one TOML file, each key overridable by environment.
