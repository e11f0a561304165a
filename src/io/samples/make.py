#!/usr/bin/env python3
"""Makes the sounds beside it, with libopus 1.3: python3 make.py

Each is packets of 60 bytes, one after the other: Opus, 48 kHz, mono, 20 ms, 24 kbit/s without
variation. picture.vp8 is the VP8 chunk of a WebP image that Chromium wrote of a canvas of 320 by
240 pixels: one key frame (RFC 6386).
"""

import ctypes
import math
import pathlib

RATE, FRAME, PACKET = 48_000, 960, 60
APPLICATION_AUDIO, SET_BITRATE, SET_VBR = 2049, 4002, 4006

opus = ctypes.CDLL("libopus.so.0")
opus.opus_encoder_create.restype = ctypes.c_void_p


def encode(samples):
    error = ctypes.c_int()
    encoder = ctypes.c_void_p(
        opus.opus_encoder_create(RATE, 1, APPLICATION_AUDIO, ctypes.byref(error)))
    assert error.value == 0
    opus.opus_encoder_ctl(encoder, SET_BITRATE, ctypes.c_int(PACKET * 8 * RATE // FRAME))
    opus.opus_encoder_ctl(encoder, SET_VBR, ctypes.c_int(0))
    packets = b""
    for at in range(0, len(samples) - FRAME + 1, FRAME):
        frame = (ctypes.c_int16 * FRAME)(*(int(sample) for sample in samples[at:at + FRAME]))
        packet = (ctypes.c_ubyte * 400)()
        length = opus.opus_encode(encoder, frame, FRAME, packet, 400)
        assert length == PACKET, length
        packets += bytes(packet[:length])
    return packets


def bell(seconds, strokes):
    """Strokes of a bell: (second, frequency), each fading."""
    samples = []
    for at in range(int(seconds * RATE)):
        now, sum_ = at / RATE, 0.0
        for begin, frequency in strokes:
            age = now - begin
            if age >= 0:
                attack = min(1.0, age / 0.01)
                for partial, share in ((1.0, 0.6), (2.0, 0.25), (3.01, 0.1)):
                    sum_ += share * attack * math.exp(-4 * partial * age) * math.sin(
                        2 * math.pi * frequency * partial * age)
        samples.append(9000 * sum_)
    return samples


def tone(seconds, frequency):
    """A sine that grows louder and softer, so that no two packets are alike."""
    return [8000 * (0.6 + 0.4 * math.sin(2 * math.pi * 0.7 * at / RATE))
            * math.sin(2 * math.pi * frequency * at / RATE)
            for at in range(int(seconds * RATE))]


here = pathlib.Path(__file__).parent
(here / "greeting.opus").write_bytes(encode(bell(1.0, [(0.0, 880.0), (0.35, 660.0)])))
(here / "tone.opus").write_bytes(encode(tone(1.0, 1000.0)))
