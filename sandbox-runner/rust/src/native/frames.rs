use std::collections::VecDeque;

use crate::frame::Frame;

/// The longest line that the host sends: its first message carries schemas and a state.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
/// What is set aside for an announced payload at once; more comes as it arrives.
const FIRST_PAYLOAD_BYTES: usize = 64 * 1024 * 1024;

/// Cuts a stream into messages.
#[derive(Default)]
pub(super) struct FrameDecoder {
    line: Vec<u8>,
    partial: Option<(Frame, usize)>,
    frames: VecDeque<Frame>,
}

impl FrameDecoder {
    pub(super) fn next(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// Takes bytes as they come. An error says why the stream can't be followed any further.
    /// Messages that `is_kept` refuses are gone.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut is_kept: impl FnMut(&Frame) -> bool,
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            let known = self.frames.len();
            bytes = match self.partial.take() {
                Some((frame, left)) => self.take_payload(frame, left, bytes),
                None => self.take_line(bytes)?,
            };
            if self.frames.len() > known && !self.frames.back().map_or(true, &mut is_kept) {
                self.frames.pop_back();
            }
        }
        Ok(())
    }

    fn take_payload<'a>(&mut self, mut frame: Frame, left: usize, bytes: &'a [u8]) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(left.min(bytes.len()));
        frame
            .payload
            .get_or_insert_with(Vec::new)
            .extend_from_slice(taken);
        if taken.len() == left {
            self.frames.push_back(frame);
        } else {
            self.partial = Some((frame, left - taken.len()));
        }
        rest
    }

    fn take_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.line.len() + part.len() > MAX_LINE_BYTES {
            return Err(format!("a line is longer than {MAX_LINE_BYTES} bytes"));
        }
        if end.is_none() {
            self.line.extend_from_slice(part);
            return Ok(rest);
        }
        if self.line.is_empty() {
            self.end_line(part)?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(part);
            self.end_line(&line)?;
        }
        Ok(&rest[1..])
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), String> {
        let (mut frame, payload_bytes) = Frame::of_line(line)?;
        match payload_bytes {
            None => self.frames.push_back(frame),
            Some(0) => {
                frame.payload = Some(Vec::new());
                self.frames.push_back(frame);
            }
            Some(bytes) => {
                let bytes = bytes as usize;
                frame.payload = Some(Vec::with_capacity(bytes.min(FIRST_PAYLOAD_BYTES)));
                self.partial = Some((frame, bytes));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STREAM: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"execute\",\"params\":{\"operation\":\"a\"},\"payload_bytes\":4}\n\"\n\n\"{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":2}}\n{\"id\":3,\"method\":\"execute\",\"payload_bytes\":0}\n";

    fn all_of(decoder: &mut FrameDecoder) -> Vec<Frame> {
        std::iter::from_fn(|| decoder.next()).collect()
    }

    #[test]
    fn reads_the_same_wherever_the_stream_is_cut() {
        let mut whole = FrameDecoder::default();
        whole.push(STREAM, |_| true).unwrap();
        let expected = all_of(&mut whole);
        assert_eq!(expected.len(), 3);
        assert_eq!(expected[0].payload.as_deref(), Some(b"\"\n\n\"".as_slice()));
        assert_eq!(expected[1].params, json!({"id": 2}));
        assert_eq!(expected[2].payload.as_deref(), Some(b"".as_slice()));
        for at in 0..STREAM.len() {
            let mut cut = FrameDecoder::default();
            cut.push(&STREAM[..at], |_| true).unwrap();
            cut.push(&STREAM[at..], |_| true).unwrap();
            assert_eq!(all_of(&mut cut), expected, "cut at {at}");
        }
    }

    #[test]
    fn refuses_what_is_no_message() {
        for line in [
            "no JSON\n",
            "[]\n",
            "{\"id\":1}\n",
            "{\"method\":\"a\",\"payload_bytes\":-1}\n",
        ] {
            assert!(
                FrameDecoder::default()
                    .push(line.as_bytes(), |_| true)
                    .is_err(),
                "{line}"
            );
        }
        let long = vec![b' '; MAX_LINE_BYTES + 1];
        assert!(FrameDecoder::default().push(&long, |_| true).is_err());
    }
}
