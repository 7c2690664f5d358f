import { mount } from 'svelte';
import '../design/tokens.css';
import '../design/controls.css';
import './wall.css';
import Gate from './Gate.svelte';

// dark unless the wall's address says otherwise: a bright wall blinds the room
const theme = new URLSearchParams(location.search).get('theme');
if (theme === 'light' || theme === 'auto') document.documentElement.dataset.theme = theme;

mount(Gate, { target: document.body });
