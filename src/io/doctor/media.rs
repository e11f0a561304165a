//! What is sent in the call, and what comes back of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rtc::rtp::{Header, Packet};
use tokio::time::{MissedTickBehavior, interval};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use crate::io::peer::MediaKind;
use crate::io::samples::{OPUS_DURATION, OPUS_MILLIS, PICTURE, tone};

/// What was sent and what came.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) audio: Count,
    pub(super) video: Count,
    /// The message came back.
    pub(super) message: AtomicBool,
}

/// Packets of one kind.
#[derive(Debug, Default)]
pub(super) struct Count {
    sent: AtomicUsize,
    /// Those that came and hold what was sent.
    own: AtomicUsize,
    /// All that came.
    came: AtomicUsize,
}

impl Count {
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn own(&self) -> usize {
        self.own.load(Ordering::Relaxed)
    }

    pub(super) fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }
}

/// A track to send on.
pub(super) struct Sender {
    pub(super) track: Arc<TrackLocalStaticRTP>,
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
}

impl Sender {
    /// Sends a tone, without end.
    pub(super) async fn send_sound(self, tally: Arc<Tally>) {
        let every = Duration::from_millis(OPUS_MILLIS);
        let sound = tone().cycle().map(<[u8]>::to_vec);
        self.send(sound, every, OPUS_DURATION, &tally.audio).await;
    }

    /// Sends a picture again and again.
    pub(super) async fn send_pictures(self, tally: Arc<Tally>) {
        let pictures = std::iter::repeat_with(picture);
        self.send(pictures, PICTURE_EVERY, PICTURE_DURATION, &tally.video)
            .await;
    }

    async fn send(
        self,
        payloads: impl Iterator<Item = Vec<u8>>,
        every: Duration,
        duration: u32,
        count: &Count,
    ) {
        let mut pace = interval(every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut sequence_number, mut timestamp) = (0_u16, 0_u32);
        for payload in payloads {
            pace.tick().await;
            let header = Header {
                version: 2,
                marker: true,
                payload_type: self.payload_type,
                sequence_number,
                timestamp,
                ssrc: self.ssrc,
                ..Header::default()
            };
            let payload = payload.into();
            if self
                .track
                .write_rtp(Packet { header, payload })
                .await
                .is_err()
            {
                return;
            }
            count.sent.fetch_add(1, Ordering::Relaxed);
            sequence_number = sequence_number.wrapping_add(1);
            timestamp = timestamp.wrapping_add(duration);
        }
    }
}

/// Counts what comes.
pub(super) async fn receive(track: Arc<dyn TrackRemote>, tally: Arc<Tally>) {
    let is_video = track.kind().await == MediaKind::Video;
    let picture = picture();
    let is_own = |payload: &[u8]| {
        if is_video {
            payload == picture
        } else {
            tone().any(|packet| packet == payload)
        }
    };
    let count = if is_video { &tally.video } else { &tally.audio };
    while let Some(event) = track.poll().await {
        match event {
            TrackRemoteEvent::OnRtpPacket(packet) => {
                count.came.fetch_add(1, Ordering::Relaxed);
                if is_own(&packet.payload) {
                    count.own.fetch_add(1, Ordering::Relaxed);
                }
            }
            TrackRemoteEvent::OnEnded => return,
            _ => {}
        }
    }
}

/// Sends `text` as soon as the channel is open, and waits for it.
pub(super) async fn exchange(channel: Arc<dyn DataChannel>, text: String, tally: Arc<Tally>) {
    while let Some(event) = channel.poll().await {
        match event {
            // When that fails, it is closed soon.
            DataChannelEvent::OnOpen => drop(channel.send_text(&text).await),
            DataChannelEvent::OnMessage(message) if message.data == text.as_bytes() => {
                tally.message.store(true, Ordering::Relaxed);
            }
            DataChannelEvent::OnClose => return,
            _ => {}
        }
    }
}

/// A picture as one packet: RFC 7741 §4.2, the start of the only partition.
fn picture() -> Vec<u8> {
    let mut payload = vec![0x10];
    payload.extend_from_slice(PICTURE);
    payload
}

const PICTURE_EVERY: Duration = Duration::from_millis(100);
/// The same in RTP time, 90 kHz (RFC 7741 §4.1).
const PICTURE_DURATION: u32 = 9_000;
