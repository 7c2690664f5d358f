/** The rows of one channel, and what of them is shown: a copy, made anew when it is time to draw. */

export class Channel<Row> {
  /** As the feed says, from one frame to the next. */
  readonly all = new Map<string, Row>();
  /** As last shown; reading it in a template is being told of the next. */
  shown = $state.raw<ReadonlyMap<string, Row>>(new Map());

  show(): void {
    this.shown = new Map(this.all);
  }
}
