//! The sound that a test call begins with, so that the caller hears something before she speaks.

use std::sync::Arc;
use std::time::Duration;

use rtc::rtp::Packet;
use rtc::rtp::header::Header;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use crate::io::samples::{OPUS_DURATION, OPUS_MILLIS, greeting};

/// Where a stream of RTP goes on: the next sequence number and timestamp.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
}

/// Plays it on `track`; then `position` says where the stream goes on.
pub(super) async fn greet(
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    position: watch::Sender<Option<Position>>,
) {
    let mut next = Position::default();
    let mut pace = interval(Duration::from_millis(OPUS_MILLIS));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for (at, payload) in greeting().enumerate() {
        pace.tick().await;
        let header = Header {
            version: 2,
            marker: at == 0,
            payload_type,
            sequence_number: next.sequence,
            timestamp: next.timestamp,
            ssrc,
            ..Header::default()
        };
        let payload = payload.into();
        if track.write_rtp(Packet { header, payload }).await.is_err() {
            break;
        }
        next.sequence = next.sequence.wrapping_add(1);
        next.timestamp = next.timestamp.wrapping_add(OPUS_DURATION);
    }
    // Nobody is left to go on when the call is over.
    position.send(Some(next)).ok();
}
