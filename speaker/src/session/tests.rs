//! A session whose shard takes nothing: it holds the peer back, keeps it alive, and stays up.

use std::net::{Ipv4Addr, SocketAddr};

use bgp_session::RemoteAs;
use bgp_wire::{Capability, OpenBuf, frame};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const OURS: u32 = 64512;
const THEIRS: u32 = 65001;

/// 10.1.0.0/16 by 127.0.0.1, path 65001.
fn update() -> Vec<u8> {
    let mut octets = vec![0xff; 16];
    octets.extend_from_slice(&[0, 46, frame::UPDATE, 0, 0, 0, 20]);
    octets.extend_from_slice(&[0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9]);
    octets.extend_from_slice(&[0x40, 3, 4, 127, 0, 0, 1, 16, 10, 1]);
    octets
}

/// A session that connects to a listener, with a shard's queue of one batch.
fn session(remote: SocketAddr) -> (Handle, mpsc::Receiver<(NeighborId, FromSession)>) {
    let (shard, received) = mpsc::channel(1);
    let (sender, commands) = mpsc::channel(4);
    let setup = Setup {
        id: NeighborId(1),
        key: NeighborKey { vrf: "default".into(), address: remote.ip().into() },
        config: bgp_session::Config {
            hold_time: Duration::from_secs(3),
            ..bgp_session::Config::new(OURS, Ipv4Addr::new(10, 0, 0, 1), RemoteAs::External)
        },
        endpoint: Endpoint { remote: Some(remote), local: None, ttl: None, device: None },
        clock: Clock::new(),
        shards: Arc::new([shard]),
    };
    (start(setup, sender, commands), received)
}

#[tokio::test]
async fn a_busy_shard_holds_the_peer_back_while_keepalives_go_on_and_the_session_stays_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (handle, mut received) = session(listener.local_addr().unwrap());
    let (stream, _) = listener.accept().await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut open = BytesMut::new();
    OpenBuf {
        asn: THEIRS,
        hold_time: 3,
        identifier: Ipv4Addr::new(10, 0, 0, 2),
        capabilities: vec![Capability::FourOctetAs(THEIRS)],
    }
    .encode(&mut open);
    open.extend_from_slice(&frame::KEEPALIVE_MESSAGE);
    writer.write_all(&open).await.unwrap();
    assert!(matches!(received.recv().await, Some((NeighborId(1), FromSession::Established { .. }))));

    // From here on the shard takes nothing, and the peer sends nothing but UPDATEs, more than all buffers hold.
    let flood = tokio::spawn(async move {
        let batch = update().repeat(1000);
        for _ in 0..4000 {
            if writer.write_all(&batch).await.is_err() {
                return;
            }
        }
    });
    // With a hold time of 3 s a keepalive goes each second; five take longer than the hold time.
    let mut buffer = BytesMut::new();
    let mut keepalives = 0;
    while keepalives < 6 {
        let read = tokio::time::timeout(Duration::from_secs(30), reader.read_buf(&mut buffer)).await;
        assert!(read.unwrap().unwrap() > 0, "the session ended");
        while let Some(len) = frame::peek(&buffer, frame::MAX_LEN).unwrap()
            && buffer.len() >= len
        {
            let message = buffer.split_to(len);
            assert_ne!(message[18], frame::NOTIFICATION, "the session ended");
            keepalives += usize::from(message[18] == frame::KEEPALIVE);
        }
    }
    assert_eq!(handle.observer.view().state, State::Established);
    assert!(!flood.is_finished(), "the peer was not held back");

    flood.abort();
    drop((reader, received));
    handle.stop(Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN)).await;
}
