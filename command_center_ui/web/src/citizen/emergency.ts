/** Whether a text smells of somebody in danger; then 112 is what helps, and we say so at once. Generous on purpose. */

const SIGNS: readonly RegExp[] = [
  // fire; burning rubbish is DLH's, not the fire brigade's
  /\bke?bakaran\b|\bterbakar\b|\bsi jago merah\b|\bapi (?:besar|membesar|berkobar|menyala)\b|\bmeledak\b|\bledakan\b/,
  /\bbocor(?:an)? gas\b|\bgas bocor\b|\btersengat listrik\b|\bkesetrum\b/,
  // injured
  /\b(?:ter)?luka\b|\bluka[- ]luka\b|\bberdarah\b|\bkorban\b|\bpingsan\b|\bterjepit\b|\btertimpa\b|\btertabrak\b|\bpatah tulang\b/,
  /\bmeninggal\b|\btewas\b|\bsekarat\b|\bkritis\b|\bkecelakaan\b|\blaka lantas\b/,
  // drowning
  /\btenggelam\b|\bhanyut\b|\bterseret arus\b|\bterjebak\b|\btertimbun\b|\blongsor\b/,
  // English
  /\bfire\b|\bburning (?:house|building|car)\b|\bexplo(?:ded|sion)\b|\bgas leak\b|\binjur(?:ed|y|ies)\b|\bbleeding\b/,
  /\bdrown(?:ed|ing)?\b|\bswept away\b|\btrapped\b|\bunconscious\b|\bdead\b|\bdying\b|\baccident\b/,
];

export function smellsOfEmergency(text: string): boolean {
  const plain = text.toLowerCase();
  return SIGNS.some((sign) => sign.test(plain));
}
