//! The latency laboratory: load, measurement and reports, for the `bench` command and for the
//! benchmarks in `benches/`.

pub mod feed;
pub mod instructions;
pub mod machine;
pub mod matching;
pub mod risk;
pub mod shape;
pub mod summary;
