# The common ways; `scripts/test` is the whole of it.

# Show what there is
default:
    @just --list

# Format everything
fmt:
    cargo fmt --all

# Lints, as strict as CI
lint:
    cargo fmt --all --check
    cargo clippy --all-targets -- -D warnings

# All tests on SQLite, or those with NAME in their name
test *NAME:
    cargo test {{NAME}}

# Everything that CI runs, on both back ends
test-all:
    scripts/test

# The whole mill on a small built-in news site
demo:
    cargo run --release -- demo

# The documentation of the library
doc:
    cargo doc --no-deps --open
