//! Any octets as an MRT file: the reader and the stream give the same records and errors, and a record that was written reads the same.

#![no_main]

use bgp_wire::Message;
use bgp_wire::mrt::{Body, Reader, Record, Stream};
use libfuzzer_sys::fuzz_target;
use peerage_fuzz::naive::view;

fn look_at(record: &Record<'_>) {
    match &record.body {
        Body::Message(message) => drop(format!("{:?}", Message::parse(message.message, &message.ctx()))),
        Body::Rib(rib) => {
            for entry in rib.entries() {
                let _ = (view::of_attributes(&entry.attributes()), entry.next_hop());
            }
        }
        Body::Table(table) => table.iter().for_each(|route| drop(view::of_attributes(&route.attributes()))),
        Body::Peers(peers) => drop(peers.iter().count()),
        body => drop(format!("{body:?}")),
    }
}

fuzz_target!(|file: &[u8]| {
    let mut stream = Stream::new(file);
    for found in Reader::new(file) {
        let streamed = stream.next_record();
        let record = match found {
            Ok(record) => record,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(matches!(streamed, Some(Err(_))), "{error:?} but {streamed:?}");
                continue;
            }
        };
        assert_eq!(streamed.map(Result::ok), Some(Some(record)));
        look_at(&record);
        let mut written = Vec::new();
        if record.write(&mut written).is_err() {
            continue;
        }
        let again = Reader::new(&written).next();
        let Some(Ok(again)) = again else { panic!("{record:?} was written, but reads {again:?}") };
        assert_eq!(Record { offset: 0, ..record }, again);
        let mut twice = Vec::new();
        again.write(&mut twice).expect("what was written once");
        assert_eq!(written, twice);
    }
    assert!(stream.next_record().is_none());
});
