// Keeps videos in step. The leader is the video with the sound: its speed never changes, and it is never sought while it
// plays. The muted followers start once the leader's clock moves, and their speed is adjusted at every frame.
const MAX_DRIFT = 0.25; // seconds above which a follower jumps
const TOLERANCE = 0.004; // seconds of drift that are not corrected: each change of speed costs the decoder time
const MAX_SPEED_CHANGE = 0.5; // of a follower, relative to the leader
const GAIN = 8; // change of the relative speed for a drift of one second

class Lockstep {
  constructor(leader, followers) {
    this.leader = leader;
    this.followers = followers;
    this.isRunning = false;
  }

  // Starts all videos at their present positions. Rejects where the leader cannot play.
  async start() {
    this.isRunning = true;
    await this.leader.play();
    requestAnimationFrame(() => this.step());
  }

  stop() {
    this.isRunning = false;
    for (const video of [this.leader, ...this.followers]) {
      video.pause();
      video.playbackRate = this.leader.playbackRate;
    }
  }

  step() {
    if (!this.isRunning) return;
    for (const follower of this.followers) this.follow(follower);
    if ([this.leader, ...this.followers].some((video) => !video.ended)) requestAnimationFrame(() => this.step());
  }

  follow(follower) {
    const { leader } = this;
    const drift = leader.currentTime - follower.currentTime;
    if (leader.ended || follower.ended) {
      follower.playbackRate = leader.playbackRate;
    } else if (Math.abs(drift) > MAX_DRIFT) {
      follower.currentTime = leader.currentTime;
    } else if (Math.abs(drift) < TOLERANCE) {
      if (follower.playbackRate !== leader.playbackRate) follower.playbackRate = leader.playbackRate;
    } else {
      const change = Math.max(-MAX_SPEED_CHANGE, Math.min(MAX_SPEED_CHANGE, GAIN * drift));
      follower.playbackRate = leader.playbackRate * (1 + change);
    }
    const hasBegun = leader.currentTime > 0 || leader.ended;
    if (hasBegun && follower.paused && !follower.ended) follower.play().catch(() => {});
  }
}
