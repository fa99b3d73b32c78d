//! `peerage decode` as its users meet it: files in, text and exit codes out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod captures;
mod dumps;
mod messages;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// ORIGIN IGP.
const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
/// AS_PATH 64500 70000, in four octets.
const AS_PATH: &[u8] = &[0x40, 2, 10, 2, 2, 0, 0, 0xfb, 0xf4, 0, 1, 0x11, 0x70];
/// AS_PATH 64500, in two octets.
const NARROW_AS_PATH: &[u8] = &[0x40, 2, 4, 2, 1, 0xfb, 0xf4];
/// NEXT_HOP 192.0.2.1.
const NEXT_HOP: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];
/// 198.51.100.0/24.
const PREFIX: &[u8] = &[24, 198, 51, 100];

/// Runs `peerage decode` on this input.
fn decode_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_peerage"))
        .arg("decode")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // What does not read its input to the end may be gone before it is written.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn decode(arguments: &[&str]) -> Output {
    decode_input(arguments, &[])
}

/// What it printed, if it found nothing unreadable.
#[track_caller]
fn sound(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it printed and complained of, if there was something that it could not read.
#[track_caller]
fn unsound(output: &Output) -> (String, String) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    (String::from_utf8(output.stdout.clone()).unwrap(), stderr(output))
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A whole BGP message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff; 16][..], &(19 + body.len() as u16).to_be_bytes(), &[kind], body].concat()
}

/// A whole UPDATE.
fn update(withdrawn: &[u8], attributes: &[&[u8]], nlri: &[u8]) -> Vec<u8> {
    let attributes = attributes.concat();
    let len = |octets: &[u8]| (octets.len() as u16).to_be_bytes();
    message(2, &[&len(withdrawn)[..], withdrawn, &len(&attributes), &attributes, nlri].concat())
}

/// An UPDATE that announces 198.51.100.0/24.
fn announcement() -> Vec<u8> {
    update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX)
}

/// An OPEN of this AS with 4-octet AS numbers and, if so, path identifiers of IPv4 unicast both ways.
fn open(asn: u32, add_path: bool) -> Vec<u8> {
    let mut capabilities = [&[65, 4][..], &asn.to_be_bytes()].concat();
    if add_path {
        capabilities.extend_from_slice(&[69, 4, 0, 1, 1, 3]);
    }
    let len = capabilities.len() as u8;
    let trans = u16::try_from(asn).unwrap_or(23456).to_be_bytes();
    message(1, &[&[4][..], &trans, &[0, 90, 10, 0, 0, 1, len + 2, 2, len], &capabilities].concat())
}
