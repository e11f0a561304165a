//! A WebRTC peer in this process, for the test call and for `campana doctor`.
//!
//! The crate `webrtc` does the work. It takes Opus and VP8, which every WebRTC client speaks
//! (RFC 7874 §3, RFC 7742 §5), and nothing else: what it sends is what somebody sent it, or a
//! pattern, and needs no encoder.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RtpCodecKind,
};
use tokio::sync::mpsc;
use webrtc::data_channel::DataChannel;
use webrtc::error::Result;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
    RTCConfigurationBuilder, RTCIceCandidateInit, RTCIceGatheringState, RTCIceServer,
    RTCIceTransportPolicy, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
    RTCSessionDescription, Registry, SettingEngineBuilder, register_default_interceptors,
};

use crate::web::Candidate;

pub(crate) use rtc::rtp_transceiver::rtp_sender::RtpCodecKind as MediaKind;

/// What a peer is made with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// Where it binds its sockets, on any port. An unspecified address is every interface but
    /// loopback.
    pub(crate) addresses: Vec<IpAddr>,
    /// STUN and TURN servers.
    pub(crate) servers: Vec<RTCIceServer>,
    /// Whether only relayed candidates are used.
    pub(crate) relay_only: bool,
}

/// What happens at a peer.
pub(crate) enum Event {
    /// A candidate of its own.
    Candidate(Candidate),
    /// There are no more.
    EndOfCandidates,
    /// Media can flow.
    Connected,
    /// It cannot, or no longer.
    Failed,
    /// The other side sends media.
    Track(Arc<dyn TrackRemote>),
    /// The other side opened a data channel.
    Channel(Arc<dyn DataChannel>),
}

/// A peer, which ends when it is closed or dropped.
pub(crate) struct Peer {
    connection: Arc<dyn PeerConnection>,
}

impl Peer {
    /// A peer that tells what happens to it.
    ///
    /// # Errors
    /// A socket cannot be bound.
    pub(crate) async fn new(config: Config) -> Result<(Self, mpsc::Receiver<Event>)> {
        let mut media = MediaEngine::default();
        media.register_codec(opus(), RtpCodecKind::Audio)?;
        media.register_codec(vp8(), RtpCodecKind::Video)?;
        let interceptors = register_default_interceptors(Registry::new(), &mut media)?;
        let policy = if config.relay_only {
            RTCIceTransportPolicy::Relay
        } else {
            RTCIceTransportPolicy::All
        };
        let configuration = RTCConfigurationBuilder::new()
            .with_ice_servers(config.servers)
            .with_ice_transport_policy(policy)
            .build();
        // Who calls from this network is found by her checks, whatever name she gives her address;
        // and where there is no multicast the peer could not even be made.
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .build();
        let (events, receiver) = mpsc::channel(EVENTS);
        let addresses = config.addresses.iter();
        let addresses = addresses
            .map(|address| SocketAddr::new(*address, 0))
            .collect();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(settings)
            .with_media_engine(media)
            .with_interceptor_registry(interceptors)
            .with_handler(Arc::new(Handler { events }))
            .with_udp_addrs(addresses)
            .with_data_channel_send_buffer_limit(MAX_BUFFERED)
            .build()
            .await?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        Ok((Self { connection }, receiver))
    }

    /// Adds a track to send on, with this synchronization source.
    pub(crate) async fn add_track(
        &self,
        kind: RtpCodecKind,
        ssrc: u32,
    ) -> Result<Arc<TrackLocalStaticRTP>> {
        let codec = match kind {
            RtpCodecKind::Video => vp8().rtp_codec,
            _ => opus().rtp_codec,
        };
        let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            "campana".to_owned(),
            kind.to_string(),
            kind.to_string(),
            kind,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters {
                    ssrc: Some(ssrc),
                    ..Default::default()
                },
                codec,
                ..Default::default()
            }],
        )));
        let local: Arc<dyn TrackLocal> = track.clone();
        self.connection.add_track(local).await?;
        Ok(track)
    }

    /// The answer to an offer.
    pub(crate) async fn answer(&self, offer: String) -> Result<String> {
        let offer = RTCSessionDescription::offer(without_rtcp(&offer))?;
        self.connection.set_remote_description(offer).await?;
        let answer = self.connection.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.connection.set_local_description(answer).await?;
        Ok(sdp)
    }

    /// An offer, of the tracks and channels that were added.
    pub(crate) async fn offer(&self) -> Result<String> {
        let offer = self.connection.create_offer(None).await?;
        let sdp = offer.sdp.clone();
        self.connection.set_local_description(offer).await?;
        Ok(sdp)
    }

    /// The other side answers the offer.
    pub(crate) async fn accept(&self, answer: String) -> Result<()> {
        let answer = RTCSessionDescription::answer(without_rtcp(&answer))?;
        self.connection.set_remote_description(answer).await
    }

    /// Opens a data channel.
    pub(crate) async fn open_channel(&self, label: &str) -> Result<Arc<dyn DataChannel>> {
        self.connection.create_data_channel(label, None).await
    }

    /// A candidate of the other side.
    pub(crate) async fn add_candidate(&self, candidate: Candidate) -> Result<()> {
        if is_for_rtcp(&candidate.candidate) {
            return Ok(());
        }
        let candidate = RTCIceCandidateInit {
            candidate: candidate.candidate,
            sdp_mid: candidate.mid,
            sdp_mline_index: candidate.index,
            username_fragment: candidate.ufrag,
            url: None,
        };
        self.connection.add_ice_candidate(candidate).await
    }

    /// Ends it.
    pub(crate) async fn close(&self) {
        // Nobody is left to be told of an error.
        self.connection.close().await.ok();
    }
}

/// The payload type that a description gives to the codec of this kind; the first one, which is the
/// preferred.
pub(crate) fn payload_type(sdp: &str, kind: MediaKind) -> Option<u8> {
    let codec = match kind {
        RtpCodecKind::Video => "VP8/",
        _ => "opus/",
    };
    sdp.lines().find_map(|line| {
        let (number, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        let name = encoding.get(..codec.len())?;
        name.eq_ignore_ascii_case(codec).then_some(())?;
        number.parse().ok()
    })
}

/// What a track carries. The crate says so only of those whose sources were described (RFC 5576).
pub(crate) async fn kind(track: &dyn TrackRemote) -> MediaKind {
    let kind = track.kind().await;
    if kind != RtpCodecKind::Unspecified {
        return kind;
    }
    for source in track.ssrcs().await {
        if let Some(codec) = track.codec(source).await {
            return match codec.mime_type.split_once('/') {
                Some(("video", _)) => RtpCodecKind::Video,
                _ => RtpCodecKind::Audio,
            };
        }
    }
    kind
}

/// Whether a candidate is of the second component (RFC 8839 §5.1). Who offers to do without
/// `rtcp-mux`, as Dino does, has such; to a peer, which has RTCP go where RTP goes, it would be one
/// more place for both.
fn is_for_rtcp(candidate: &str) -> bool {
    candidate.split(' ').nth(1) == Some("2")
}

/// A description without candidates of that kind.
fn without_rtcp(sdp: &str) -> String {
    sdp.split_inclusive('\n')
        .filter(|line| !(line.starts_with("a=candidate:") && is_for_rtcp(line)))
        .collect()
}

struct Handler {
    events: mpsc::Sender<Event>,
}

impl Handler {
    /// Whoever made the peer may have dropped it.
    async fn tell(&self, event: Event) {
        self.events.send(event).await.ok();
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let Ok(candidate) = event.candidate.to_json() else {
            return;
        };
        let candidate = Candidate {
            mid: candidate.sdp_mid,
            index: candidate.sdp_mline_index,
            ufrag: candidate.username_fragment,
            candidate: candidate.candidate,
        };
        self.tell(Event::Candidate(candidate)).await;
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.tell(Event::EndOfCandidates).await;
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected => self.tell(Event::Connected).await,
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                self.tell(Event::Failed).await;
            }
            _ => {}
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.tell(Event::Channel(channel)).await;
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.tell(Event::Track(track)).await;
    }
}

fn opus() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: "audio/opus".to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
            rtcp_feedback: Vec::new(),
        },
        payload_type: 111,
    }
}

fn vp8() -> RTCRtpCodecParameters {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback {
        typ: typ.to_owned(),
        parameter: parameter.to_owned(),
    };
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: "video/VP8".to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: String::new(),
            rtcp_feedback: vec![
                feedback("ccm", "fir"),
                feedback("nack", ""),
                feedback("nack", "pli"),
            ],
        },
        payload_type: 96,
    }
}

/// Events of one peer that wait to be heard.
const EVENTS: usize = 64;
/// Bytes that wait in one data channel.
const MAX_BUFFERED: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use rtc::rtp::Packet;
    use rtc::rtp::header::Header;
    use tokio::time::timeout;

    use super::*;
    use crate::io::samples::PICTURE;

    #[tokio::test]
    async fn names_of_multicast_dns_are_no_obstacle() {
        for offer in [
            include_str!("../../tests/corpus/chrome156/data-mdns.offer.sdp"),
            include_str!("../../tests/corpus/chrome156/audio-video-data.offer.sdp"),
        ] {
            let config = Config {
                addresses: vec![Ipv4Addr::LOCALHOST.into()],
                ..Config::default()
            };
            let (peer, _events) = Peer::new(config).await.unwrap();
            let answer = peer.answer(offer.to_owned()).await.unwrap();
            assert!(answer.contains("m=application"), "{answer}");
            let candidate = Candidate {
                mid: Some("0".into()),
                candidate: "candidate:1 1 udp 1 a-b-c.local 9 typ host".into(),
                ..Candidate::default()
            };
            peer.add_candidate(candidate).await.ok();
            peer.close().await;
        }
    }

    #[tokio::test]
    async fn tracks_have_a_kind_though_nobody_described_their_sources() {
        for wanted in [MediaKind::Audio, MediaKind::Video] {
            let track = timeout(Duration::from_secs(10), undescribed_track(wanted));
            assert_eq!(kind(&*track.await.unwrap()).await, wanted);
        }
    }

    /// What comes of a track of which the offer says no source, as Dino's does not.
    async fn undescribed_track(wanted: MediaKind) -> Arc<dyn TrackRemote> {
        let config = Config {
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            ..Config::default()
        };
        let (one, mut hers) = Peer::new(config.clone()).await.unwrap();
        let (other, mut his) = Peer::new(config).await.unwrap();
        let track = one.add_track(wanted, SOURCE).await.unwrap();
        let offer = one.offer().await.unwrap();
        let is_source = |line: &&str| line.starts_with("a=ssrc") || line.starts_with("a=msid:");
        let lines = offer.split_inclusive('\n').filter(|line| !is_source(line));
        let answer = other.answer(lines.collect()).await.unwrap();
        let payload_type = payload_type(&answer, wanted).unwrap();
        one.accept(answer).await.unwrap();

        let mut connected = 0;
        loop {
            let (event, peer) = tokio::select! {
                Some(event) = hers.recv() => (event, &other),
                Some(event) = his.recv() => (event, &one),
            };
            match event {
                Event::Candidate(candidate) => peer.add_candidate(candidate).await.unwrap(),
                Event::Connected => connected += 1,
                Event::Track(track) => return track,
                _ => {}
            }
            if connected == 2 {
                let header = Header {
                    version: 2,
                    payload_type,
                    ssrc: SOURCE,
                    ..Header::default()
                };
                let payload = PICTURE.into();
                track.write_rtp(Packet { header, payload }).await.unwrap();
                connected = 0;
            }
        }
    }

    const SOURCE: u32 = 7;

    #[test]
    fn candidates_for_rtcp_are_left_out() {
        let rtp = "a=candidate:1 1 udp 2015363327 192.0.2.2 53623 typ host\r\n";
        let rtcp = "a=candidate:1 2 udp 2015363326 192.0.2.2 34291 typ host\r\n";
        let sdp = format!("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{rtp}{rtcp}a=mid:2 2\r\n");
        assert_eq!(without_rtcp(&sdp), sdp.replace(rtcp, ""));
    }

    #[test]
    fn payload_types_are_those_of_the_description() {
        let sdp = "m=audio 9 UDP/TLS/RTP/SAVPF 63 109\r\na=rtpmap:63 red/48000/2\r\n\
                   a=rtpmap:109 Opus/48000/2\r\nm=video 9 UDP/TLS/RTP/SAVPF 120\r\n\
                   a=rtpmap:120 VP8/90000\r\n";
        assert_eq!(payload_type(sdp, MediaKind::Audio), Some(109));
        assert_eq!(payload_type(sdp, MediaKind::Video), Some(120));
        assert_eq!(
            payload_type("v=0\r\na=rtpmap:9 é\r\n", MediaKind::Audio),
            None
        );
    }
}
