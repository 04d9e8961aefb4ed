//! Followers that are gone, and what waits for them.

use super::*;

#[test]
fn a_dead_follower_holds_nothing_back_once_it_is_fenced() {
    let mut leading = Leading::new(&[1, 2, 3]);
    leading.fetches(3, 0);
    leading.append(5);
    leading.fetches(2, 5);
    assert_eq!(leading.high_watermark(), 0, "broker 3 is in the ISR");
    // As a controller does: one step fences the broker and takes it out of the ISR.
    leading.cluster.change_broker(3, 30, 1, 0);
    leading.cluster.change(leading.id, 0, |change| change.isr = Some(vec![1, 2]));
    assert_eq!(leading.high_watermark(), 5);
}

#[test]
fn a_follower_that_was_about_to_join_holds_nothing_back_once_it_is_fenced() {
    let mut leading = Leading::new(&[1, 2]);
    leading.fetches(3, 0);
    leading.answer(Err(ResponseError::IneligibleReplica));
    leading.append(5);
    leading.fetches(2, 5);
    assert_eq!(leading.high_watermark(), 0, "broker 3 may join");
    leading.cluster.change_broker(3, 30, 1, 0);
    leading.cluster.publish();
    assert_eq!(leading.high_watermark(), 5);
}

/// As when its directory has failed: the broker is well, but does not fetch any more.
#[test]
fn a_follower_that_the_controller_puts_out_holds_nothing_back() {
    let mut leading = Leading::new(&[1, 2, 3]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.fetches(3, 5);
    leading.append(5);
    leading.fetches(2, 10);
    assert_eq!(leading.high_watermark(), 5, "broker 3 is in the ISR");
    leading.cluster.change(leading.id, 0, |change| change.isr = Some(vec![1, 2]));
    assert_eq!(leading.high_watermark(), 10);
    leading.fetches(3, 10);
    assert_eq!(leading.wanted(), Some(vec![1, 2, 3]), "it has come back");
}

/// Nothing has to happen for it: a producer that waits sends nothing, and the others have all.
#[test]
fn a_follower_that_has_fallen_silent_is_waited_for_no_longer() {
    let mut leading = Leading::new(&[1, 2]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.fetches(3, 5);
    leading.answer(Err(ResponseError::IneligibleReplica));
    leading.append(5);
    leading.fetches(2, 10);
    assert_eq!(leading.high_watermark(), 5, "broker 3 may join");
    leading.later(LAG_MS);
    leading.cluster.replicas.shrink_isrs();
    assert_eq!(leading.high_watermark(), 5);
    leading.later(1);
    leading.cluster.replicas.shrink_isrs();
    assert_eq!(leading.high_watermark(), 10);
}
