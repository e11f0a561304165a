//! How long the mapping takes: `cargo bench --bench mapping`.
//!
//! `tests/bench/mapping.sh` has npm stanza and sdp-jingle-json do the same in the same run.
#![allow(clippy::unwrap_used, missing_docs, reason = "bench")]

mod subject;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use subject::{
    OFFER, callee, caller, candidate_to_transport_info, jingle_to_sdp, sdp_to_jingle,
    transport_info_to_candidate,
};

fn mapping(c: &mut Criterion) {
    let jingle = sdp_to_jingle(OFFER);
    c.bench_function("sdp to jingle", |b| {
        b.iter(|| sdp_to_jingle(black_box(OFFER)))
    });
    c.bench_function("jingle to sdp", |b| {
        b.iter(|| jingle_to_sdp(black_box(&jingle)));
    });
    let (from, to) = (caller(), callee());
    let info = candidate_to_transport_info(&mut caller());
    c.bench_function("candidate to transport-info", |b| {
        b.iter_batched_ref(
            || from.clone(),
            |session| candidate_to_transport_info(black_box(session)),
            BatchSize::SmallInput,
        );
    });
    c.bench_function("transport-info to candidate", |b| {
        b.iter_batched_ref(
            || to.clone(),
            |session| transport_info_to_candidate(session, black_box(&info)),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, mapping);
criterion_main!(benches);
