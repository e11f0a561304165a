//! Giving back what comes.

use std::sync::Arc;
use std::time::Duration;

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::Track;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::greeting::Position;
use crate::io::peer::{MediaKind, kind};

/// Sends every packet of `from` back on `to`. If something is played there before, `position` says
/// when that is over, and where the stream goes on; what comes until then is lost.
pub(super) async fn reflect_track(
    from: Arc<dyn TrackRemote>,
    to: Arc<TrackLocalStaticRTP>,
    position: Option<watch::Receiver<Option<Position>>>,
) {
    let (Some(&source), Some(&own)) = (from.ssrcs().await.first(), to.ssrcs().await.first()) else {
        return;
    };
    let is_video = kind(&*from).await == MediaKind::Video;
    // From the numbers of the packets that come to those of the packets that go.
    let mut shift = position.is_none().then(Position::default);
    let mut refresh = interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = from.poll() => match event {
                Some(TrackRemoteEvent::OnRtpPacket(mut packet)) => {
                    let header = &packet.header;
                    shift = shift.or_else(|| {
                        let begin = (*position.as_ref()?.borrow())?;
                        Some(Position {
                            sequence: begin.sequence.wrapping_sub(header.sequence_number),
                            timestamp: begin.timestamp.wrapping_sub(header.timestamp),
                        })
                    });
                    let Some(shift) = shift else { continue };
                    packet.header.sequence_number =
                        header.sequence_number.wrapping_add(shift.sequence);
                    packet.header.timestamp = packet.header.timestamp.wrapping_add(shift.timestamp);
                    packet.header.ssrc = own;
                    // They speak of the source that was.
                    packet.header.csrc.clear();
                    packet.header.extension = false;
                    packet.header.extensions.clear();
                    if to.write_rtp(packet).await.is_err() {
                        return;
                    }
                }
                Some(TrackRemoteEvent::OnEnded) | None => return,
                Some(_) => {}
            },
            // Who looks at pictures that come back needs whole ones (RFC 4585 §6.3.1), at the
            // beginning and when one was lost on the way.
            _ = refresh.tick(), if is_video => {
                let loss = PictureLossIndication { sender_ssrc: own, media_ssrc: source };
                if from.write_rtcp(vec![Box::new(loss)]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Sends every message of a data channel back.
pub(super) async fn reflect_channel(channel: Arc<dyn DataChannel>) {
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnMessage(message) => {
                let sent = match std::str::from_utf8(&message.data) {
                    Ok(text) if message.is_string => channel.send_text(text).await,
                    _ => channel.send(message.data).await,
                };
                if sent.is_err() {
                    return;
                }
            }
            DataChannelEvent::OnClose => return,
            _ => {}
        }
    }
}

/// How often a whole picture is asked for.
const REFRESH: Duration = Duration::from_secs(2);
