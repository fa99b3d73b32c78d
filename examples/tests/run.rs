//! Every example runs to its end and finds what it expects.

use std::process::Command;

fn runs(program: &str) {
    let output = Command::new(program).output().expect("the example starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_codec_alone_answers_reads_and_builds() {
    runs(env!("CARGO_BIN_EXE_wire_only"));
}

#[test]
fn an_embedded_speaker_leaks_a_route() {
    runs(env!("CARGO_BIN_EXE_embed"));
}
