import { expect, it } from 'vitest';
import { smellsOfEmergency } from './emergency';

it.each([
  'Kebakaran di pasar, api besar!',
  'truk menabrak motor, ada korban luka',
  'ANAK HANYUT di kali bekasi',
  'ibu-ibu tenggelam',
  'a man is injured, bleeding',
  'mobil terbakar di tol',
])('%j calls for 112', (text) => {
  expect(smellsOfEmergency(text)).toBe(true);
});

it.each([
  'macet total di simpang bulak kapal',
  'warga bakar sampah tiap sore',
  'lampu jalan mati',
  'sampah menumpuk, sudah lama tidak diangkut',
  'firefighting museum is closed',
])('%j does not', (text) => {
  expect(smellsOfEmergency(text)).toBe(false);
});
