// A black picture, for a camera that is off: a decoder shows the last picture it was given, and many
// IM clients know no other sign.

/** @returns {{track: MediaStreamTrack, stop: () => void}} */
export function blackTrack() {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [320, 180];
  const draw = () => {
    // A canvas that does not change gives no pictures.
    const context = canvas.getContext('2d');
    if (!context) return;
    context.fillStyle = '#000';
    context.fillRect(0, 0, canvas.width, canvas.height);
  };
  draw();
  const [track] = canvas.captureStream(2).getVideoTracks();
  const clock = setInterval(draw, 1000);
  return {
    track,
    stop() {
      clearInterval(clock);
      track.stop();
    },
  };
}
