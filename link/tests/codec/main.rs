//! Messages as bytes: what was put in comes out, and no bytes do harm.

mod arbitrary;
mod golden;

use bytes::Bytes;
use martlet_link::frame::{Assembler, Frame};
use martlet_link::message::{Request, decode_block, decode_reply, encode_block, encode_reply};
use proptest::prelude::*;

use arbitrary::{addressee, block, reply, request};

/// Decodes as everything that it could be.
fn decode_all(bytes: &Bytes) {
    let _ = Request::decode(bytes);
    let _ = decode_reply(bytes);
    let _ = decode_block(bytes);
    let (mut record, mut assembler) = (bytes.clone(), Assembler::default());
    while let Ok(frame) = Frame::cut(&mut record) {
        let _ = assembler.take(frame);
    }
}

proptest! {
    #[test]
    fn every_request_comes_out_as_it_went_in(to in addressee(), request in request()) {
        let message = request.encode(to).joined();
        prop_assert_eq!(Request::decode(&message), Ok((to, request)));
    }

    #[test]
    fn every_reply_comes_out_as_it_went_in(reply in reply()) {
        let message = encode_reply(&reply).joined();
        prop_assert_eq!(decode_reply(&message), Ok(reply));
    }

    #[test]
    fn every_block_comes_out_as_it_went_in(block in block()) {
        prop_assert_eq!(decode_block(&encode_block(&block).joined()), Ok(block));
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        decode_all(&bytes.into());
    }

    #[test]
    fn no_damage_makes_decoding_panic(
        to in addressee(),
        request in request(),
        reply in reply(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for message in [request.encode(to).joined(), encode_reply(&reply).joined()] {
            let mut damaged = message.to_vec();
            damaged[place.index(message.len())] = byte;
            decode_all(&damaged.into());
            decode_all(&message.slice(..place.index(message.len())));
        }
    }

    #[test]
    fn nothing_is_read_past_a_messages_end(to in addressee(), request in request()) {
        let carries_a_body = matches!(&request, Request::Accept(accept) if accept.body.is_some());
        let mut longer = request.encode(to).joined().to_vec();
        longer.push(0);
        prop_assert_eq!(Request::decode(&longer.into()).is_ok(), carries_a_body);
    }
}
