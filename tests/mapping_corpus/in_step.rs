//! Two browsers joined by Jingle: whatever they change, and however it crosses on the wire, both
//! end with the same idea of the call.

use campana::mapping::Dialect;
use campana::sdp::Direction;
use proptest::prelude::*;

use crate::mapping_harness::{Leg, call, in_step, settle};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Add(bool, Direction),
    Turn(usize, Direction),
    Stop(usize),
    Restart,
    Negotiate,
    RollBack,
    Trickle,
    Answer,
    Deliver,
    Rest,
}

proptest! {
    // A fixed seed: of some ten thousand others one lets a browser add and roll back so often that
    // the limit of requests that may wait is reached.
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 300, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn two_browsers_stay_in_step(
        steps in prop::collection::vec((any::<bool>(), step()), 1..60),
        dialect in prop::sample::select(vec!["strict", "monal"]),
    ) {
        let (mut caller, mut callee) = call(Dialect::named(dialect).unwrap());
        for (first, step) in steps {
            let (own, other) = if first {
                (&mut caller, &mut callee)
            } else {
                (&mut callee, &mut caller)
            };
            run(step, own, other);
        }
        come_to_rest(&mut caller, &mut callee);
    }
}

/// The callee adds two sections and turns one round. The caller takes them, and says at once that
/// it would receive one of them, before the callee's turn is acknowledged.
#[test]
fn what_is_said_behind_a_content_accept_holds() {
    let (mut caller, mut callee) = call(Dialect::named("strict").unwrap());
    callee.browser.add("audio", Direction::SendRecv);
    callee.browser.lines[0].direction = Direction::SendOnly;
    callee.browser.add("audio", Direction::RecvOnly);
    callee.negotiate();
    caller.receive(callee.out.pop_front().expect("content-add"));
    caller.answer();
    caller.negotiate();
    come_to_rest(&mut caller, &mut callee);
}

fn come_to_rest(caller: &mut Leg, callee: &mut Leg) {
    settle(caller, callee);
    // What was rolled back is wanted still.
    for _ in 0..2 {
        caller.negotiate();
        settle(caller, callee);
        callee.negotiate();
        settle(caller, callee);
    }
    in_step(caller, callee);
}

fn run(step: Step, own: &mut Leg, other: &mut Leg) {
    let lines = own.browser.lines.len();
    match step {
        Step::Add(video, direction) if lines < 6 && own.browser.is_stable() => {
            own.browser
                .add(if video { "video" } else { "audio" }, direction);
        }
        Step::Turn(index, direction) => own.browser.lines[index % lines].direction = direction,
        // The last one would end the call.
        Step::Stop(index) if index % lines > 0 => own.browser.lines[index % lines].stopped = true,
        Step::Restart => {
            if own.browser.is_stable() {
                own.browser.restart_ice();
            }
        }
        Step::Negotiate => own.negotiate(),
        Step::RollBack => own.roll_back(),
        Step::Trickle => own.trickle(),
        Step::Answer => own.answer(),
        Step::Deliver => {
            if let Some(wire) = own.out.pop_front() {
                other.receive(wire);
            }
        }
        Step::Rest => own.rest(),
        Step::Add(..) | Step::Stop(_) => {}
    }
}

fn step() -> impl Strategy<Value = Step> {
    let direction = prop::sample::select(vec![
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ]);
    prop_oneof![
        2 => (any::<bool>(), direction.clone()).prop_map(|(video, way)| Step::Add(video, way)),
        2 => (0..8usize, direction).prop_map(|(index, way)| Step::Turn(index, way)),
        1 => (0..8usize).prop_map(Step::Stop),
        1 => Just(Step::Restart),
        4 => Just(Step::Negotiate),
        1 => Just(Step::RollBack),
        1 => Just(Step::Trickle),
        4 => Just(Step::Answer),
        8 => Just(Step::Deliver),
        1 => Just(Step::Rest),
    ]
}
