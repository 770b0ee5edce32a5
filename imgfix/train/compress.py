"""Video compression as damage: frames through a real encoder and back."""

from __future__ import annotations

import io

import numpy as np

from imgfix.media.video.repeatable import x264_params


def compress(frames: np.ndarray, codec: str, quality: int) -> np.ndarray:
    """Encode and decode a short clip.

    Args:
        frames: (T, H, W, 3) uint8.
        codec: `h264` (quality is its CRF, 0 to 51) or `mpeg4` (quality is its quantiser, 1 to 31).
        quality: higher is worse.

    Returns:
        (T, H, W, 3) uint8.
    """
    import av

    count, height, width = frames.shape[:3]
    # 4:2:0 wants even sides, and encoders work in blocks of 16.
    padded = np.pad(frames, ((0, 0), (0, -height % 16), (0, -width % 16), (0, 0)), mode="edge")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        options = {"crf": str(quality), "preset": "veryfast"} if codec == "h264" else {}
        if codec == "h264" and (params := x264_params(bits=8)):
            options["x264-params"] = params
        stream = container.add_stream("libx264" if codec == "h264" else "mpeg4", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = padded.shape[2], padded.shape[1], "yuv420p"
        stream.codec_context.thread_count = 1
        if codec != "h264":
            stream.codec_context.qmin = stream.codec_context.qmax = quality
        for frame in padded:
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    file.seek(0)
    with av.open(file, "r") as compressed:
        decoded = [frame.to_ndarray(format="rgb24") for frame in compressed.decode(video=0)]
    if len(decoded) != count:
        raise RuntimeError(f"{codec} gave back {len(decoded)} of {count} frames")
    return np.stack(decoded)[:, :height, :width]
