import { mount } from 'svelte';
import '../design/tokens.css';
import '../design/controls.css';
import Track from './Track.svelte';

mount(Track, { target: document.body });
